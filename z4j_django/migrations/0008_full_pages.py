from django.db import migrations
from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from django.db.migrations.state import StateApps


def fill_pages(apps: StateApps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    """Leave no room in the pages of an index to which events are only ever appended."""
    _change(apps, schema_editor, 'SET (fillfactor = 100)')


def leave_room(apps: StateApps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    """A tenth of each page, as PostgreSQL does by itself."""
    _change(apps, schema_editor, 'RESET (fillfactor)')


def _change(apps: StateApps, schema_editor: BaseDatabaseSchemaEditor, words: str) -> None:
    connection = schema_editor.connection
    table = apps.get_model('z4j_django', 'TaskEvent')._meta.db_table
    if connection.vendor != 'postgresql':
        return
    with connection.cursor() as cursor:
        found = connection.introspection.get_constraints(cursor, table)
    for name, constraint in found.items():
        if constraint['primary_key']:
            schema_editor.execute(f'ALTER INDEX {schema_editor.quote_name(name)} {words}')


class Migration(migrations.Migration):

    dependencies = [
        ('z4j_django', '0007_time_limits'),
    ]

    operations = [
        migrations.RunPython(fill_pages, leave_room),
    ]
