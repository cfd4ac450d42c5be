import Logging
import NIOCore

#if canImport(Glibc)
    import Glibc
#endif

/// Stops accepting for a moment where the system has no descriptor or no memory for a connection, and says so once.
///
/// NIO goes on to read its listening socket after such an error, and the kernel goes on to say that somebody waits
/// there: a whole processor would do nothing else. Who waits is accepted when there is room again.
final class AcceptPause: ChannelDuplexHandler {
    typealias InboundIn = NIOAny
    typealias OutboundIn = NIOAny

    private let logger: Logger
    private let pause: TimeAmount
    private var resumption: Scheduled<Void>?
    /// From the first such error to the next connection that was accepted.
    private var isShort = false

    init(logger: Logger, pause: TimeAmount = .seconds(TransportLimits.acceptPauseSeconds)) {
        self.logger = logger
        self.pause = pause
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        guard let error = error as? IOError, let hint = Self.hint(error.errnoCode) else {
            return context.fireErrorCaught(error)
        }
        // A peer that has left while it waited is gone from the queue: nothing to wait for.
        guard error.errnoCode != ECONNABORTED else { return }
        say(error, hint)
        guard resumption == nil else { return }
        setReading(false, context)
        let resumed = NIOLoopBound((self, context), eventLoop: context.eventLoop)
        resumption = context.eventLoop.scheduleTask(in: pause) {
            let (handler, context) = resumed.value
            handler.resumption = nil
            handler.setReading(true, context)
        }
    }

    private func setReading(_ isReading: Bool, _ context: ChannelHandlerContext) {
        // Of all that a handler can do, only this takes the socket out of what the loop waits for.
        try? context.channel.syncOptions?.setOption(.autoRead, value: isReading)
    }

    private func say(_ error: IOError, _ hint: String) {
        guard !isShort else { return }
        isShort = true
        logger.error(
            "no new connections are accepted for lack of resources; trying again each second",
            metadata: [
                "reason": "\(String(cString: strerror(error.errnoCode)))",
                "open_files_limit": "\(ProcessResources.descriptorLimit)",
                "hint": "\(hint)",
            ]
        )
    }

    private static func hint(_ number: CInt) -> String? {
        switch number {
        case EMFILE: "raise the limit of open files of this process: ulimit -n, or LimitNOFILE in its systemd unit"
        case ENFILE: "the machine's limit of open files is reached: see fs.file-max"
        case ENOBUFS, ENOMEM: "the machine has no memory left for connections"
        case ECONNABORTED: ""
        default: nil
        }
    }

    /// Nothing asks the socket for more while it pauses.
    func read(context: ChannelHandlerContext) { if resumption == nil { context.read() } }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        if isShort {
            isShort = false
            logger.notice("new connections are accepted again")
        }
        context.fireChannelRead(data)
    }

    func channelInactive(context: ChannelHandlerContext) {
        resumption?.cancel()
        context.fireChannelInactive()
    }
}
