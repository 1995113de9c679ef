"""Where files are kept: a folder, or a bucket of S3; and the temporary ones."""
