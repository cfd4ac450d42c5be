import Foundation
import NIOConcurrencyHelpers

/// Where log lines go: standard error, or a file that can be reopened while lines are written.
final class LogSink: Sendable {
    /// Lines that could not be written, and why the first of them could not be.
    struct Lost: Equatable {
        var count = 0
        var reason = ""
    }

    private struct State {
        var descriptor: Int32
        var lost = Lost()
        /// The last write ended within a line.
        var isTorn = false
        /// How many lines may be written now, and since when that is known.
        var allowance = LogSink.burst
        var countedAt = ContinuousClock.now
    }

    /// A peer that makes the program log must not fill the disk: so many lines at once, and so many a second.
    private static let burst = 5000.0
    private static let linesPerSecond = 200.0
    /// How long a line waits for a reader that does not read, such as a stopped pager; the next ones do not.
    private static let patienceMilliseconds: Int32 = 200

    let path: String?
    private let state: NIOLockedValueBox<State>

    /// Standard error where there is no path.
    init(path: String?) throws {
        self.path = path
        state = NIOLockedValueBox(try path.map(Self.open) ?? State(descriptor: STDERR_FILENO))
    }

    init(descriptor: Int32) {
        path = nil
        state = NIOLockedValueBox(State(descriptor: descriptor))
    }

    deinit { if path != nil { close(state.withLockedValue { $0.descriptor }) } }

    /// Writes a line, after a notice of those that were lost before it; what cannot be written is counted.
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

    /// Opens the file that has the name now, and creates it where there is none.
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
                patience: state.lost.count == 0 ? patienceMilliseconds : 0
            )
        else {
            state.isTorn = false
            return nil
        }
        if failure.writtenBytes > 0 { state.isTorn = Array(text.utf8)[failure.writtenBytes - 1] != UInt8(ascii: "\n") }
        return failure
    }

    /// Appends, so that a rotation which copies and truncates works too. Readable by the group, as logs are; never a
    /// pipe or a device, where a write may wait for ever.
    private static func open(_ path: String) throws -> State {
        let descriptor = Glibc.open(path, O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC | O_NOCTTY | O_NONBLOCK, 0o640)
        guard descriptor >= 0 else {
            throw UsageError(
                "cannot open the log file \(path): \(String(cString: strerror(errno)))",
                hint: "name a file that may be written to with --log-file"
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
        // What a process wrote last before it was killed, or before the disk was full.
        var last: UInt8 = 0
        let hasLast = status.st_size > 0 && pread(descriptor, &last, 1, status.st_size - 1) == 1
        return State(descriptor: descriptor, isTorn: hasLast && last != UInt8(ascii: "\n"))
    }
}
