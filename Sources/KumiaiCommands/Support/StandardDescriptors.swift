import Foundation

/// Descriptors 0, 1 and 2, which may be closed when the program is started.
enum StandardDescriptors {
    /// Opens closed descriptors, so that no file that is opened later becomes standard output: otherwise a report could
    /// be written into a key file.
    ///
    /// They are opened for reading only, so that a write to them fails instead of being lost silently, also after the
    /// program has restarted itself (`BLASCore.restartIfWrong`).
    static func openClosed() {
        for descriptor in [STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO] where fcntl(descriptor, F_GETFD) < 0 {
            // open() returns the lowest free number, which is this one. Without /dev, the root directory is used.
            if open("/dev/null", O_RDONLY) < 0 { _ = open("/", O_RDONLY | O_DIRECTORY) }
        }
    }

    /// Makes a failed write (a pipe without a reader, a file at its size limit) an error at the call, instead of a
    /// signal that ends the process.
    static func ignoreSignalsOfWrites() {
        for number in [SIGPIPE, SIGXFSZ] { signal(number, SIG_IGN) }
    }

    /// Log rotation may send SIGHUP before a service handles it: the signal is ignored from the first instruction on,
    /// so that it does not end the service.
    static func ignoreHangupOfServices(_ arguments: [String]) {
        if arguments.count > 1, ["coordinator", "worker"].contains(arguments[0]), arguments[1] == "run" {
            signal(SIGHUP, SIG_IGN)
        }
    }
}
