import NIOCore
import NIOConcurrencyHelpers
import Wire

/// Length-delimited protobuf messages: a varint length followed by the message, as in protobuf libraries.
final class FrameCodec<Inbound: WireFrame, Outbound: WireFrame>: ChannelDuplexHandler {
    typealias InboundIn = ByteBuffer
    typealias InboundOut = Inbound
    typealias OutboundIn = Outbound
    typealias OutboundOut = ByteBuffer

    private let limit: FrameLimit
    private var accumulated: ByteBuffer?

    init(limit: FrameLimit) { self.limit = limit }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        var arrived = unwrapInboundIn(data)
        if var waiting = accumulated.take(), waiting.readableBytes > 0 {
            waiting.writeBuffer(&arrived)
            arrived = waiting
        }
        do {
            var count = 0
            while let frame = try nextFrame(&arrived) {
                count += 1
                guard count <= TransportLimits.framesPerRead else {
                    throw TransportError(.frameTooLarge, "more than \(TransportLimits.framesPerRead) messages at once")
                }
                context.fireChannelRead(wrapInboundOut(frame))
            }
            // Keep no empty buffers: with many idle connections they would use most of a coordinator's memory.
            accumulated = arrived.readableBytes > 0 ? arrived : nil
        } catch {
            context.fireErrorCaught(error)
            context.close(promise: nil)
        }
    }

    private func nextFrame(_ buffer: inout ByteBuffer) throws -> Inbound? {
        guard let (length, prefix) = try lengthPrefix(buffer) else { return nil }
        guard length <= limit.bytes else {
            throw TransportError(.frameTooLarge, "a frame of \(length) bytes; expected at most \(limit.bytes)")
        }
        guard buffer.readableBytes >= prefix + length else {
            buffer.discardReadBytes()
            buffer.reserveCapacity(prefix + length)
            return nil
        }
        buffer.moveReaderIndex(forwardBy: prefix)
        let frame = try buffer.withUnsafeReadableBytes { bytes in
            try Inbound(unpacking: UnsafeRawBufferPointer(rebasing: bytes[..<length]))
        }
        buffer.moveReaderIndex(forwardBy: length)
        return frame
    }

    private func lengthPrefix(_ buffer: ByteBuffer) throws -> (length: Int, prefix: Int)? {
        var value = 0
        for (index, byte) in buffer.readableBytesView.prefix(5).enumerated() {
            value |= Int(byte & 0x7f) << (7 * index)
            if byte & 0x80 == 0 { return (value, index + 1) }
        }
        guard buffer.readableBytes < 5 else {
            throw TransportError(.frameTooLarge, "a frame's length does not end within 5 bytes")
        }
        return nil
    }

    func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
        let message = unwrapOutboundIn(data).packed
        var buffer = context.channel.allocator.buffer(capacity: message.byteCount + 5)
        var length = message.byteCount
        while length >= 0x80 {
            buffer.writeInteger(UInt8(length & 0x7f | 0x80))
            length >>= 7
        }
        buffer.writeInteger(UInt8(length))
        buffer.writeWithUnsafeMutableBytes(minimumWritableBytes: message.byteCount) { bytes in
            message.pack(into: bytes)
            return message.byteCount
        }
        context.write(wrapOutboundOut(buffer), promise: promise)
    }
}

/// The largest frame that a connection accepts: small until its hello says that it is a bulk connection.
package final class FrameLimit: Sendable {
    private let value: NIOLockedValueBox<Int>

    package init(_ bytes: Int = WireLimits.controlFrameBytes) { value = NIOLockedValueBox(bytes) }

    package var bytes: Int { value.withLockedValue { $0 } }
    package func allowBulk() { value.withLockedValue { $0 = WireLimits.bulkFrameBytes } }
}

extension Optional {
    fileprivate mutating func take() -> Wrapped? {
        defer { self = nil }
        return self
    }
}
