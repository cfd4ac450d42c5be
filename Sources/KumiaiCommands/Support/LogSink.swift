import Foundation
import NIOConcurrencyHelpers

/// The destination of log lines: standard error, or a file that can be reopened while lines are written.
final class LogSink: Sendable {
    /// The number of lines that could not be written, and the reason for the first of them.
    struct Lost: Equatable {
        var count = 0
        var reason = ""
    }

    private struct State {
        var descriptor: Int32
        var lost = Lost()
        /// Whether the last write ended in the middle of a line.
        var isTorn = false
        /// How many lines may be written now, and when this was computed.
        var allowance = LogSink.burst
        var countedAt = ContinuousClock.now
    }

    /// A rate limit, so that a peer cannot fill the disk with log lines: so many at once, and so many per second.
    private static let burst = 5000.0
    private static let linesPerSecond = 200.0
    /// How long a line waits for a reader that does not read, such as a stopped pager; the next lines do not wait.
    private static let timeoutMilliseconds: Int32 = 200

    let path: String?
    private let state: NIOLockedValueBox<State>

    /// Without a path: standard error.
    init(path: String?) throws {
        self.path = path
        state = NIOLockedValueBox(try path.map(Self.open) ?? State(descriptor: STDERR_FILENO))
    }

    init(descriptor: Int32) {
        path = nil
        state = NIOLockedValueBox(State(descriptor: descriptor))
    }

    deinit { if path != nil { close(state.withLockedValue { $0.descriptor }) } }

    /// Writes a line, after a notice of lines lost before it; lines that cannot be written are counted.
    func write(_ line: String, notice: (Lost) -> String) {
        state.withLockedValue { state in
            guard Self.isAllowed(&state) else {
                state.lost = Lost(
                    count: state.lost.count + 1,
                    reason: state.lost.count == 0 ? "there were too many in a short time" : state.lost.reason
                )
                return
            }
            if state.lost.count > 0 {
                guard Self.put(notice(state.lost), &state) == nil else {
                    state.lost.count += 1
                    return
                }
                state.lost = Lost()
            }
            if let failure = Self.put(line, &state) { state.lost = Lost(count: 1, reason: failure.reason) }
        }
    }

    private static func isAllowed(_ state: inout State) -> Bool {
        let now = ContinuousClock.now, passed = state.countedAt.duration(to: now) / .seconds(1)
        (state.allowance, state.countedAt) = (min(burst, state.allowance + passed * linesPerSecond), now)
        guard state.allowance >= 1 else { return false }
        state.allowance -= 1
        return true
    }

    /// Opens the file that has the path's name now; creates it if it does not exist.
    func reopen() throws {
        guard let path else { return }
        let opened = try Self.open(path)
        let former = state.withLockedValue { state in
            defer { (state.descriptor, state.isTorn) = (opened.descriptor, opened.isTorn) }
            return state.descriptor
        }
        close(former)
    }

    private static func put(_ line: String, _ state: inout State) -> DescriptorWriter.Failure? {
        let text = (state.isTorn ? "\n" : "") + line + "\n"
        guard
            let failure = DescriptorWriter.write(
                text,
                to: state.descriptor,
                timeout: state.lost.count == 0 ? timeoutMilliseconds : 0
            )
        else {
            state.isTorn = false
            return nil
        }
        if failure.writtenBytes > 0 { state.isTorn = Array(text.utf8)[failure.writtenBytes - 1] != UInt8(ascii: "\n") }
        return failure
    }

    /// Opens for appending, so that log rotation by copy and truncate works too. The group may read the file, as is
    /// usual for logs. Never opens a pipe or a device, where a write could block for ever.
    private static func open(_ path: String) throws -> State {
        let descriptor = Glibc.open(path, O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC | O_NOCTTY | O_NONBLOCK, 0o640)
        guard descriptor >= 0 else {
            throw UsageError(
                "cannot open the log file \(path): \(String(cString: strerror(errno)))",
                hint: "name a writable file with --log-file"
            )
        }
        var status = stat()
        guard fstat(descriptor, &status) == 0, status.st_mode & S_IFMT == S_IFREG else {
            close(descriptor)
            throw UsageError(
                "the log file \(path) is not a regular file",
                hint: "without --log-file, the log goes to standard error"
            )
        }
        // The last byte tells whether an earlier process was killed, or the disk was full, in the middle of a line.
        var last: UInt8 = 0
        let hasLast = status.st_size > 0 && pread(descriptor, &last, 1, status.st_size - 1) == 1
        return State(descriptor: descriptor, isTorn: hasLast && last != UInt8(ascii: "\n"))
    }
}
