import Foundation

/// Writes text to a descriptor with write(2): the whole text, or it returns the reason for the failure.
///
/// Everything that the program prints or logs goes through here: `FileHandle` and `print` end the process, or report
/// nothing, when the disk is full or the reader has gone. SIGPIPE is ignored from the start (``Kumiai/prepare()``).
enum DescriptorWriter {
    /// Why a text could not be written, and how many of its bytes were written.
    struct Failure: Error, Equatable {
        let code: Int32
        let writtenBytes: Int

        var reason: String {
            code == EBADF
                ? "it is closed"
                : code == EAGAIN ? "its reader does not read" : String(cString: strerror(code)).lowercasedFirst
        }
    }

    /// `timeout`: milliseconds to wait for a reader that does not read; `nil`: without limit.
    static func write(_ text: String, to descriptor: Int32, timeout: Int32? = nil) -> Failure? {
        let bytes = Array(text.utf8)
        var done = 0
        while done < bytes.count {
            if let timeout, !isWritable(descriptor, timeout) { return Failure(code: EAGAIN, writtenBytes: done) }
            // A writable pipe has room for this many bytes.
            let part = bytes[done...].prefix(timeout == nil ? .max : Int(PIPE_BUF))
            let (count, code) = part.withUnsafeBytes { pointer -> (Int, Int32) in
                let count = Glibc.write(descriptor, pointer.baseAddress, pointer.count)
                return (count, errno)
            }
            if count > 0 {
                done += count
                continue
            }
            // Nothing was written and there is no error: without progress, this is a failure too.
            switch count < 0 ? code : EIO {
            case EINTR: continue
            // Another program may have made the shared terminal or pipe non-blocking.
            case EAGAIN where timeout == nil: _ = isWritable(descriptor, -1)
            case let code: return Failure(code: code, writtenBytes: done)
            }
        }
        return nil
    }

    /// `milliseconds`: how long to wait; -1: without limit.
    private static func isWritable(_ descriptor: Int32, _ milliseconds: Int32) -> Bool {
        var request = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
        return poll(&request, 1, milliseconds) != 0
    }
}

extension String {
    /// The system's error texts begin with a capital letter; here they follow a colon.
    fileprivate var lowercasedFirst: String { prefix(1).lowercased() + dropFirst() }
}
