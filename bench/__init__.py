"""Side-by-side measurements of the chat path; `README.md` in this folder tells how to read them."""
