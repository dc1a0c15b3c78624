"""What the tests share in which a running serve reads its configuration again."""

from control import Home
from serving import connect


class Config:
    """A configuration file, and the serve that reads it."""

    def __init__(self, directory, *lines):
        self.file, self.home = directory / "routes.conf", Home(directory / "home")
        self.write(*lines)

    def write(self, *lines):
        self.file.write_text("".join(f"{line}\n" for line in lines))

    def serve(self, *args, **options):
        return self.home.serve("--config", self.file, *args, **options)

    def reload(self, *lines, code=0):
        if lines:
            self.write(*lines)
        return self.home.reload(code)

    def routes(self):
        return {route["listen"]: route for route in self.home.status()[0]["routes"]}


def done(unchanged=0, changed=0, new=0, gone=0):
    return (f"the configuration was read again: {unchanged} route{'s' if unchanged != 1 else ''} unchanged, "
            f"{changed} changed, {new} new, {gone} gone")


def can_connect(path):
    try:
        connect(f"unix://{path}").close()
    except OSError:
        return False
    return True
