"""The statistics and samples as metrics, for what scrapes, draws and alerts elsewhere."""
