@preconcurrency import Dispatch
import Foundation

/// Ctrl-C and SIGTERM stop gracefully; a second one ends the process at once. SIGHUP makes a service reload what it can
/// reload while it runs.
final class Signals: Sendable {
    private let sources: [any DispatchSourceSignal]

    /// Calls `stop` at the first signal of `numbers` and `reload` at each SIGHUP, for as long as this object lives.
    ///
    /// Without `reload`, SIGHUP keeps its default: a command ends when its terminal closes.
    init(
        on numbers: [Int32] = [SIGINT, SIGTERM],
        stop: @escaping @Sendable () async -> Void,
        reload: (@Sendable () async -> Void)? = nil
    ) {
        var sources = numbers.map { number in
            Self.source(number) {
                signal(number, SIG_DFL)
                Task { await stop() }
            }
        }
        if let reload { sources.append(Self.source(SIGHUP) { Task { await reload() } }) }
        self.sources = sources
    }

    /// SIGHUP must not end a service, even during its start: reading a long ledger takes time.
    static func ignoreHangUp() { signal(SIGHUP, SIG_IGN) }

    private static func source(_ number: Int32, _ handler: @escaping @Sendable () -> Void) -> any DispatchSourceSignal {
        signal(number, SIG_IGN)
        let source = DispatchSource.makeSignalSource(signal: number, queue: .global())
        source.setEventHandler(handler: handler)
        source.resume()
        return source
    }

    deinit { for source in sources { source.cancel() } }
}
