from sqlite3 import *  # noqa: F403  # the driver is the standard library module, built with a newer SQLite
