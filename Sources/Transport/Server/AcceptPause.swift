import Logging
import NIOCore

#if canImport(Glibc)
    import Glibc
#endif

/// Pauses accepting when the system has no descriptor or memory for a connection, and logs this once.
///
/// After such an error NIO would go on reading the listening socket, and the kernel would go on reporting that a
/// connection is waiting: this would use a whole processor core. Waiting clients are accepted when resources are
/// available again.
final class AcceptPause: ChannelDuplexHandler {
    typealias InboundIn = NIOAny
    typealias OutboundIn = NIOAny

    private let logger: Logger
    private let pause: TimeAmount
    private var resumption: Scheduled<Void>?
    /// True from the first such error until the next connection is accepted.
    private var isShort = false

    init(logger: Logger, pause: TimeAmount = .seconds(TransportLimits.acceptPauseSeconds)) {
        self.logger = logger
        self.pause = pause
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        guard let error = error as? IOError, let hint = Self.hint(error.errnoCode) else {
            return context.fireErrorCaught(error)
        }
        // The waiting peer has left, so there is no reason to pause.
        guard error.errnoCode != ECONNABORTED else { return }
        logOnce(error, hint)
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
        // This is the only way for a handler to remove the socket from the event loop's selector.
        try? context.channel.syncOptions?.setOption(.autoRead, value: isReading)
    }

    private func logOnce(_ error: IOError, _ hint: String) {
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

    /// Suppresses reads of the socket during a pause.
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
