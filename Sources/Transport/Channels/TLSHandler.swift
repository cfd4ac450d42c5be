import Identity
import NIOCore

/// TLS 1.3 on a channel with OpenSSL: ciphertext on the outside, plaintext on the inside.
///
/// It is responsible for the handshake and the peer's certificate, close_notify in both directions, detection of
/// truncation, answers to KeyUpdate, and backpressure in both directions. It buffers nothing: it passes reads through
/// one by one, and encrypted bytes count in the channel's outbound buffer at once.
final class TLSHandler: ChannelDuplexHandler {
    typealias InboundIn = ByteBuffer
    typealias InboundOut = ByteBuffer
    typealias OutboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    /// Plaintext to encrypt at a time: four records, so that writes to the socket are large and buffers stay in cache.
    /// With the overhead of each record it fits into 64 KiB; one byte more, and the allocator would use 128 KiB.
    private static let pieceBytes = 63 * 1024
    private static let recordBytes = 16 * 1024
    private static let lingerMilliseconds: Int64 = 500

    private enum State { case handshaking, open, closed }

    private let session: TLSSession
    private let handshaken: EventLoopPromise<Certificate>
    private var state = State.handshaking
    private var hasPeerClosed = false
    private var pendingWrites = MarkedCircularBuffer<(ByteBuffer, EventLoopPromise<Void>?)>(initialCapacity: 4)
    private var timeout: Scheduled<Void>?
    /// Closes that wait until the last alert has been sent.
    private var lingering: [EventLoopPromise<Void>?]?
    private var context: ChannelHandlerContext?

    /// - Parameters:
    ///   - context: The TLS configuration.
    ///   - handshaken: Gets the peer's certificate, or the error that ended the handshake.
    init(_ context: TLSContext, handshaken: EventLoopPromise<Certificate>) throws {
        session = try TLSSession(context)
        self.handshaken = handshaken
    }

    func handlerAdded(context: ChannelHandlerContext) {
        let channel = context.channel
        let promise = handshaken
        timeout = context.eventLoop.scheduleTask(in: .seconds(TransportLimits.handshakeSeconds)) {
            promise.fail(TransportError(.timeout, "no TLS handshake within \(TransportLimits.handshakeSeconds) s"))
            channel.close(promise: nil)
        }
        if context.channel.isActive { begin(context) }
    }

    func handlerRemoved(context: ChannelHandlerContext) {
        _ = endLingering()
        end(TransportError(.closed, "the connection was closed"))
    }

    func channelActive(context: ChannelHandlerContext) {
        begin(context)
        context.fireChannelActive()
    }

    func channelInactive(context: ChannelHandlerContext) {
        if state == .open && !hasPeerClosed {
            context.fireErrorCaught(
                IdentityError(.truncated, "the connection was cut off: the other side did not close it")
            )
        }
        end(TransportError(.closed, "the peer closed the connection during the handshake"))
        context.fireChannelInactive()
    }

    // MARK: Inbound

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let ciphertext = unwrapInboundIn(data)
        guard state != .closed else { return }
        do {
            let plaintext = try decrypt(ciphertext, context)
            sendCiphertext(context, promise: nil)
            if plaintext.readableBytes > 0 { context.fireChannelRead(wrapInboundOut(plaintext)) }
            if hasPeerClosed { close(context: context, mode: .all, promise: nil) }
        } catch {
            fail(context, error)
        }
    }

    private func decrypt(_ ciphertext: ByteBuffer, _ context: ChannelHandlerContext) throws -> ByteBuffer {
        var plaintext = context.channel.allocator.buffer(
            capacity: state == .open ? ciphertext.readableBytes + Self.recordBytes : 0
        )
        try ciphertext.withUnsafeReadableBytes { bytes in
            _ = try session.lending(bytes) {
                if state == .handshaking, try session.handshake() == .complete {
                    // Send the ciphertext that completes the handshake before the first byte of plaintext.
                    sendCiphertext(context, promise: nil)
                    try completeHandshake(context)
                }
                if state == .open { try readAll(into: &plaintext) }
            }
        }
        return plaintext
    }

    private func readAll(into plaintext: inout ByteBuffer) throws {
        var reading = TLSSession.Reading.bytes(0)
        repeat {
            try plaintext.writeWithUnsafeMutableBytes(minimumWritableBytes: Self.recordBytes) { buffer in
                reading = try session.read(into: buffer)
                if case .bytes(let count) = reading { return count }
                return 0
            }
        } while reading.isBytes
        if reading == .closed { hasPeerClosed = true }
    }

    // MARK: Handshake

    private func begin(_ context: ChannelHandlerContext) {
        guard state == .handshaking else { return }
        do {
            if try session.handshake() == .complete { try completeHandshake(context) }
            sendCiphertext(context, promise: nil)
        } catch {
            fail(context, error)
        }
    }

    private func completeHandshake(_ context: ChannelHandlerContext) throws {
        state = .open
        timeout?.cancel()
        handshaken.succeed(try session.peerCertificate())
        encryptPending(context)
    }

    // MARK: Outbound

    func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
        guard state != .closed else {
            promise?.fail(ChannelError.ioOnClosedChannel)
            return
        }
        pendingWrites.append((unwrapOutboundIn(data), promise))
    }

    func flush(context: ChannelHandlerContext) {
        pendingWrites.mark()
        encryptPending(context)
    }

    private func encryptPending(_ context: ChannelHandlerContext) {
        guard state == .open else { return }
        while pendingWrites.hasMark, let (plaintext, promise) = pendingWrites.popFirst() {
            do {
                try encrypt(plaintext, context, promise)
            } catch {
                promise?.fail(error)
                fail(context, error)
                return
            }
        }
        session.releaseOutput()
        context.flush()
    }

    private func encrypt(_ plaintext: ByteBuffer, _ context: ChannelHandlerContext, _ promise: EventLoopPromise<Void>?)
        throws
    {
        try plaintext.withUnsafeReadableBytes { bytes in
            var offset = 0
            repeat {
                let end = min(bytes.count, offset + Self.pieceBytes)
                try session.write(UnsafeRawBufferPointer(rebasing: bytes[offset..<end]))
                offset = end
                writeCiphertext(context, promise: offset == bytes.count ? promise : nil)
            } while offset < bytes.count
        }
    }

    private func writeCiphertext(_ context: ChannelHandlerContext, promise: EventLoopPromise<Void>?) {
        guard session.outputCount > 0 else {
            promise?.succeed(())
            return
        }
        var buffer = context.channel.allocator.buffer(capacity: session.outputCount)
        session.drainOutput { buffer.writeBytes($0) }
        context.write(wrapOutboundOut(buffer), promise: promise)
    }

    private func sendCiphertext(_ context: ChannelHandlerContext, promise: EventLoopPromise<Void>?) {
        guard session.outputCount > 0 else { return }
        writeCiphertext(context, promise: promise)
        session.releaseOutput()
        context.flush()
    }

    // MARK: The end

    func close(context: ChannelHandlerContext, mode: CloseMode, promise: EventLoopPromise<Void>?) {
        if state == .open {
            pendingWrites.mark()
            encryptPending(context)
            session.close()
            sendCiphertext(context, promise: nil)
        }
        end(TransportError(.closed, "the connection was closed during the handshake"))
        guard lingering == nil else {
            lingering?.append(promise)
            return
        }
        context.close(mode: .all, promise: promise)
    }

    private func fail(_ context: ChannelHandlerContext, _ error: any Error) {
        // Send the alert that tells the peer the reason.
        sendCiphertext(context, promise: nil)
        end(error)
        context.fireErrorCaught(error)
        // Closing at once with unread input would reset the connection and could lose the alert.
        let bound = NIOLoopBound(self, eventLoop: context.eventLoop)
        guard lingering == nil else { return }
        lingering = []
        context.eventLoop.scheduleTask(in: .milliseconds(Self.lingerMilliseconds)) {
            bound.value.endLingering()?.close(mode: .all, promise: nil)
        }
        self.context = context
    }

    /// Returns the context if the connection must still be closed.
    private func endLingering() -> ChannelHandlerContext? {
        guard let waiting = lingering, let context else { return nil }
        (lingering, self.context) = (nil, nil)
        for promise in waiting { promise?.succeed(()) }
        return context
    }

    private func end(_ error: any Error) {
        timeout?.cancel()
        timeout = nil
        if state == .handshaking { handshaken.fail(error) }
        state = .closed
        while let (_, promise) = pendingWrites.popFirst() { promise?.fail(ChannelError.ioOnClosedChannel) }
    }
}

extension TLSSession.Reading {
    fileprivate var isBytes: Bool { if case .bytes = self { true } else { false } }
}
