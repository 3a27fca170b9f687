from django.db import migrations, models

import z4j_django.models.indexes


class Migration(migrations.Migration):
    """By itself: PostgreSQL keeps the lock that a new column takes until its transaction ends."""

    dependencies = [
        ('z4j_django', '0013_traces'),
    ]

    operations = [
        migrations.AddIndex(
            model_name='taskrecord',
            index=z4j_django.models.indexes.PartialIndex(fields=['trace_id', 'id'], name='z4j_task_trace', where=models.Q(('trace_id', ''), _negated=True)),
        ),
    ]
