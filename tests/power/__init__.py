"""Loss of power below the database and the spools: what a disk may hold then, and that no money is lost with it.

A real platform runs under load while `hook/` records what its processes do to the disk (`recording.py` says how), and
its clients note in the same record what they have been told. `disk.py` makes of the record, for any point in it, a disk
as it may be found if the power goes there. `recovery.py` starts on that as the product does, and `audit.py` holds what
is then in the books against what clients had been told.
"""
