"""The example's shop on a bad day: what goes wrong is told, and no longer once it is mended."""
