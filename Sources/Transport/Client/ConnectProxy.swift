import NIOCore

/// An HTTP proxy that tunnels with CONNECT (RFC 9110, section 9.3.6).
package struct ConnectProxy: Equatable, Sendable {
    package let host: String
    package let port: Int
    /// The value of the Proxy-Authorization header, if the proxy requires one: `Basic dXNlcjpwYXNz` (RFC 7617).
    package let authorization: String?

    package init(host: String, port: Int, authorization: String? = nil) {
        self.host = host
        self.port = port
        self.authorization = authorization
    }
}

/// Asks the proxy for a tunnel once connected, and removes itself from the pipeline when it has one.
///
/// Handlers after it in the pipeline see the channel become active only then.
final class ConnectHandler: ChannelInboundHandler, RemovableChannelHandler {
    typealias InboundIn = ByteBuffer
    typealias InboundOut = ByteBuffer
    typealias OutboundOut = ByteBuffer

    /// The largest answer of a proxy, including all headers.
    static let answerBytes = 16 * 1024

    private let target: String
    private let authorization: String?
    private let tunnel: EventLoopPromise<Void>
    private var answer: ByteBuffer?
    private var isOpen = false

    /// - Parameters:
    ///   - host: The target's host.
    ///   - port: The target's port.
    ///   - authorization: The value of the Proxy-Authorization header, if any.
    ///   - tunnel: Succeeds when there is a tunnel, or fails with the reason why there is none.
    init(host: String, port: Int, authorization: String?, tunnel: EventLoopPromise<Void>) {
        target = host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)"
        self.authorization = authorization
        self.tunnel = tunnel
    }

    func channelActive(context: ChannelHandlerContext) {
        var request = "CONNECT \(target) HTTP/1.1\r\nHost: \(target)\r\n"
        if let authorization { request += "Proxy-Authorization: \(authorization)\r\n" }
        context.writeAndFlush(wrapOutboundOut(context.channel.allocator.buffer(string: request + "\r\n")), promise: nil)
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        guard !isOpen else { return context.fireChannelRead(data) }
        var arrived = unwrapInboundIn(data)
        if answer == nil { answer = arrived } else { answer!.writeBuffer(&arrived) }
        guard let end = endOfHeaders() else {
            if answer!.readableBytes > Self.answerBytes {
                fail(context, "its answer is longer than \(Self.answerBytes) bytes")
            }
            return
        }
        let head = answer!.readString(length: end) ?? ""
        let status = head.split(separator: "\r\n").first ?? ""
        let words = status.split(separator: " ", maxSplits: 2)
        guard words.count >= 2, words[0].hasPrefix("HTTP/1."), words[1].count == 3 else {
            return fail(context, "its answer is not HTTP")
        }
        guard words[1].hasPrefix("2") else {
            return fail(context, "it answered \"\(words.dropFirst().joined(separator: " ").prefix(100))\"")
        }
        isOpen = true
        tunnel.succeed(())
        context.fireChannelActive()
        if let rest = answer, rest.readableBytes > 0 { context.fireChannelRead(wrapInboundOut(rest)) }
        answer = nil
        context.pipeline.syncOperations.removeHandler(self, promise: nil)
    }

    private func endOfHeaders() -> Int? {
        guard let bytes = answer?.readableBytesView else { return nil }
        let mark = Array("\r\n\r\n".utf8)
        guard bytes.count >= mark.count else { return nil }
        for start in 0...(bytes.count - mark.count) where bytes.dropFirst(start).prefix(mark.count).elementsEqual(mark)
        { return start + mark.count }
        return nil
    }

    func channelInactive(context: ChannelHandlerContext) {
        if !isOpen {
            tunnel.fail(TransportError(.unreachable, "the proxy closed the connection before the tunnel was open"))
        }
        context.fireChannelInactive()
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        if !isOpen { tunnel.fail(error) }
        context.fireErrorCaught(error)
    }

    func handlerRemoved(context: ChannelHandlerContext) {
        if !isOpen { tunnel.fail(TransportError(.closed, "the connection was closed before the tunnel was open")) }
    }

    private func fail(_ context: ChannelHandlerContext, _ reason: String) {
        tunnel.fail(TransportError(.unreachable, "the proxy does not open a tunnel to \(target): \(reason)"))
        context.close(promise: nil)
    }
}
