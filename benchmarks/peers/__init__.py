"""One program, written once for each library in that library's own idiom.

The program asks a shelf twenty times how many copies of a book it holds; one book is unknown, which is a declared
failure, and that failure is caught and counted as no copies. The answer is `shelf.TOTAL`, in every library.
Each module has `measure(count)`: it runs the program `count` times and says how long one run took and what it gave.
The shelf answers without suspending, so what is measured is the library, not an event loop.
What a real program would build once (decorated functions, layers, the program value) is built once here too.
"""
