"""Yuanjing: an AI model platform with one API, one key and one exact prepaid balance."""
