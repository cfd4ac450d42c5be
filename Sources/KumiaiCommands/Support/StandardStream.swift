import Foundation
import NIOConcurrencyHelpers

/// Standard output or standard error.
///
/// A failed write does not end the process at once: ``failure`` keeps the first reason, and the program exits with
/// ``status(after:)`` when its command has cleaned up.
final class StandardStream: Sendable {
    static let output = StandardStream(STDOUT_FILENO, stopsAtFailure: true)
    static let error = StandardStream(STDERR_FILENO, stopsAtFailure: false)

    private struct State {
        var failure: DescriptorWriter.Failure?
        var whenBroken: (@Sendable () -> Void)?
    }

    /// Whether it is a terminal that supports control sequences.
    let isInteractive: Bool
    private let descriptor: Int32
    /// Stops at the first failure: a report with a gap could be mistaken for a complete one.
    private let stopsAtFailure: Bool
    private let state = NIOLockedValueBox(State())

    private static let allowsColour = ProcessInfo.processInfo.environment["NO_COLOR"] == nil

    init(_ descriptor: Int32, stopsAtFailure: Bool) {
        self.descriptor = descriptor
        self.stopsAtFailure = stopsAtFailure
        isInteractive = isatty(descriptor) == 1 && ProcessInfo.processInfo.environment["TERM"] != "dumb"
    }

    /// Columns of the terminal; a large number if it is not a terminal.
    var width: Int {
        var size = winsize()
        guard ioctl(descriptor, UInt(TIOCGWINSZ), &size) == 0, size.ws_col > 0 else { return isInteractive ? 80 : 200 }
        return Int(size.ws_col)
    }

    /// The reason of the first failed write.
    var failure: DescriptorWriter.Failure? { state.withLockedValue { $0.failure } }

    /// Calls `body` once, as soon as something cannot be written.
    func whenBroken(_ body: @escaping @Sendable () -> Void) {
        let isBroken = state.withLockedValue { state in
            state.whenBroken = body
            return state.failure != nil
        }
        if isBroken { body() }
    }

    /// Writes a line.
    func print(_ line: StyledText) { write(trusted: rendered(line) + "\n") }

    /// The text, with control sequences for its styles if the terminal supports them.
    func rendered(_ text: StyledText) -> String { text.rendered(inColour: isInteractive && Self.allowsColour) }

    /// Writes text unchanged. Only for trusted text: anything from a peer, a file or a certificate must go through
    /// ``DisplayText`` or a ``StyledText`` first.
    func write(trusted text: String) {
        let broken = state.withLockedValue { state -> (@Sendable () -> Void)? in
            guard state.failure == nil || !stopsAtFailure else { return nil }
            guard let failure = DescriptorWriter.write(text, to: descriptor), state.failure == nil else { return nil }
            state.failure = failure
            return state.whenBroken
        }
        broken?()
    }

    /// The program's exit status after its command has ended with `status`.
    ///
    /// A command's own failure takes precedence over a lost report. If the reader closed the pipe, nothing is printed,
    /// and the status is that of a program that SIGPIPE has ended.
    func status(after status: Int32) -> Int32 {
        guard let failure else { return status }
        // The command's own failure keeps its exit code.
        guard failure.code != EPIPE else { return status == 0 ? ExitStatus.brokenPipe.rawValue : status }
        Terminal.error(
            "cannot write to standard output: \(failure.reason)",
            hint: "the command's work is done, only its report is lost: free disk space, or redirect the output"
        )
        return status == 0 ? ExitStatus.failed.rawValue : status
    }
}
