"""Questions of customers over a database with millions of usages; `../README.md` tells how to read the figures."""
