"""The one exception that means "the user can mend this"."""


class UserError(Exception):
    """A mistake the user can mend: its message is one line that says what is wrong and what to do.

    The command line prints it and exits with code 2; the API turns it into a 4xx problem document.
    """
