"""Looking into files of others: by Pillow and FFmpeg, in processes that may fail."""
