"""Runs a command in a terminal of a given size, and reports what a user would see in its window.

    python terminal.py ROWS COLUMNS STATE.json COMMAND...

STATE.json is rewritten after each output of the command:
  screen    the window's lines
  scrolled  how many lines have left the window at its top, for the scrollback
  unknown   true if the command sent a control sequence that this terminal does not know
The cursor begins in the last line of the window, where a shell's prompt usually is. SIGTERM ends the command.
"""
import fcntl
import json
import os
import pty
import re
import signal
import struct
import sys
import termios
import unicodedata

rows, columns, state = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
child, descriptor = pty.fork()
if child == 0:
    fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
    os.environ["TERM"] = "xterm"
    os.execvp(sys.argv[4], sys.argv[4:])
signal.signal(signal.SIGTERM, lambda *_: os.kill(child, signal.SIGKILL))
# A process that a thread pool starts inherits the signals that the pool blocks.
signal.pthread_sigmask(signal.SIG_SETMASK, [])

screen = [[" "] * columns for _ in range(rows)]
row, column, scrolled, unknown = rows - 1, 0, 0, False


def down():
    global row, scrolled
    if row == rows - 1:
        screen.pop(0)
        screen.append([" "] * columns)
        scrolled += 1
    else:
        row += 1


def put(character):
    global row, column
    width = 0 if unicodedata.combining(character) else 2 if unicodedata.east_asian_width(character) in "WF" else 1
    if column + width > columns:
        column = 0
        down()
    screen[row][column] = character
    for follower in range(1, width):
        screen[row][column + follower] = ""
    column += width


def control(parameter, kind):
    global row, column, unknown
    if kind == "A":
        row = max(0, row - int(parameter or 1))
    elif kind in "KJ" and parameter in ("", "0", "2"):
        begin = 0 if parameter == "2" else column
        screen[row][begin:] = [" "] * (columns - begin)
        if kind == "J":
            for below in range(row + 1, rows):
                screen[below] = [" "] * columns
    elif kind != "m":
        unknown = True


pending = ""
while True:
    try:
        data = os.read(descriptor, 65536)
    except OSError:  # the command has ended
        break
    if not data:
        break
    pending += data.decode(errors="replace")
    while pending:
        if pending[0] == "\x1b":
            match = re.match(r"\x1b\[([0-9;]*)([A-Za-z])", pending)
            if not match:
                break
            control(*match.groups())
            pending = pending[match.end():]
            continue
        if pending[0] == "\r":
            column = 0
        elif pending[0] == "\n":
            down()
        else:
            put(pending[0])
        pending = pending[1:]
    lines = ["".join(line).rstrip() for line in screen]
    with open(state + ".new", "w") as file:
        json.dump({"screen": lines, "scrolled": scrolled, "unknown": unknown}, file)
    os.rename(state + ".new", state)
_, status = os.waitpid(child, 0)
sys.exit(os.waitstatus_to_exitcode(status) & 0xFF)
