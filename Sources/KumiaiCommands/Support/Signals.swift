@preconcurrency import Dispatch
import Foundation

/// Ctrl-C and SIGTERM stop gracefully; a second one ends the process at once.
final class Signals: Sendable {
    private let sources: [any DispatchSourceSignal]

    /// Calls `stop` at the first signal, for as long as this object lives.
    init(stop: @escaping @Sendable () async -> Void) {
        sources = [SIGINT, SIGTERM].map { number in
            signal(number, SIG_IGN)
            let source = DispatchSource.makeSignalSource(signal: number, queue: .global())
            source.setEventHandler {
                signal(number, SIG_DFL)
                Task { await stop() }
            }
            source.resume()
            return source
        }
    }

    deinit { for source in sources { source.cancel() } }
}
