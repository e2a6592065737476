"""Tasks on real desktop programs, judged by what became of their files and answers."""
