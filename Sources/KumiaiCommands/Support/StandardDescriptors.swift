import Foundation

/// Descriptors 0, 1 and 2, which a program may be started without.
enum StandardDescriptors {
    /// Opens those that are closed, so that no file that is opened later becomes standard output: a report would be
    /// written into a key file.
    ///
    /// They are opened for reading only. What is written to them fails, as it should where output was expected; and
    /// that holds also after the program has started itself once more (`BLASCore.restartIfWrong`).
    static func openClosed() {
        for descriptor in [STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO] where fcntl(descriptor, F_GETFD) < 0 {
            // The lowest free number is this one. Where there is no /dev, the root directory serves.
            if open("/dev/null", O_RDONLY) < 0 { _ = open("/", O_RDONLY | O_DIRECTORY) }
        }
    }

    /// A write that cannot be done is an error where it is made, not the end of the process: a pipe that nobody reads,
    /// a file at its size limit.
    static func ignoreSignalsOfWrites() {
        for number in [SIGPIPE, SIGXFSZ] { signal(number, SIG_IGN) }
    }

    /// A rotation of logs may come before a service listens for it: from its first instruction on, SIGHUP ends no
    /// service.
    static func ignoreHangupOfServices(_ arguments: [String]) {
        if arguments.count > 1, ["coordinator", "worker"].contains(arguments[0]), arguments[1] == "run" {
            signal(SIGHUP, SIG_IGN)
        }
    }
}
