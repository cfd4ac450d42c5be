import Federation
import NIOCore
import NIOEmbedded
import Wire

@testable import Transport

extension FuzzTarget {
    /// Frames and every message; the first byte selects the reader of the rest.
    static let wire = FuzzTarget(name: "wire", maximumBytes: 4096) { bytes in
        guard let kind = bytes.first else { return }
        let rest = Array(bytes.dropFirst())
        switch kind % 8 {
        case 0: stream(rest, ClientFrame.self, ServerFrame.self)
        case 1: stream(rest, ServerFrame.self, ClientFrame.self)
        case 2: if let frame = try? rest.withUnsafeBytes({ try ClientFrame(unpacking: $0) }) { _ = frame.packed.bytes }
        case 3: if let frame = try? rest.withUnsafeBytes({ try ServerFrame(unpacking: $0) }) { _ = frame.packed.bytes }
        case 4:
            if let entry = try? Entry(wireBytes: rest) { again(entry, entry.wireBytes) { try Entry(wireBytes: $0) } }
        case 5:
            if let update = try? SignedUpdate(wireBytes: rest) {
                again(update, update.wireBytes) { try SignedUpdate(wireBytes: $0) }
            }
        case 6:
            if let receipt = try? Receipt(wireBytes: rest) {
                again(receipt, receipt.wireBytes) { try Receipt(wireBytes: $0) }
            }
        default: proxy(rest)
        }
    } seeds: {
        var seeds: [[UInt8]] = []
        for message in Samples.clientMessages.map(\.packed.bytes) { seeds += [[2] + message, [0] + framed(message)] }
        for message in Samples.serverMessages.map(\.packed.bytes) { seeds += [[3] + message, [1] + framed(message)] }
        for entry in Samples.entries { seeds.append([4] + entry.wireBytes) }
        seeds.append([5] + Samples.update.wireBytes)
        seeds.append([6] + Samples.receipt.wireBytes)
        seeds.append([7] + Array("HTTP/1.1 200 Connection established\r\nVia: 1.1 squid\r\n\r\nrest".utf8))
        seeds.append([7] + Array("HTTP/1.0 407 Proxy Authentication Required\r\n\r\n".utf8))
        return seeds
    }

    private static func again<Value: Equatable>(_ value: Value, _ bytes: [UInt8], _ read: ([UInt8]) throws -> Value) {
        // A value that was read can be written and read again, and is equal, except for NaN, which equals nothing.
        guard let second = try? read(bytes) else { fatalError("what was written cannot be read") }
        demand(second == value || second != second, "what was written reads as something else")
    }

    private static func framed(_ message: [UInt8]) -> [UInt8] {
        var length = message.count
        var prefix: [UInt8] = []
        while length >= 0x80 {
            prefix.append(UInt8(length & 0x7f | 0x80))
            length >>= 7
        }
        return prefix + [UInt8(length)] + message + prefix + [UInt8(length)] + message
    }

    /// Feeds the bytes in pieces to the codec of a connection.
    private static func stream<In: WireFrame, Out: WireFrame>(_ bytes: [UInt8], _: In.Type, _: Out.Type) {
        let channel = EmbeddedChannel(handler: FrameCodec<In, Out>(limit: FrameLimit(2048)))
        for start in stride(from: 0, to: bytes.count, by: 37) {
            guard (try? channel.writeInbound(ByteBuffer(bytes: bytes[start..<min(bytes.count, start + 37)]))) != nil
            else { break }
            while let frame = try? channel.readInbound(as: In.self) { _ = frame }
        }
        _ = try? channel.finish(acceptAlreadyClosed: true)
    }

    private static func proxy(_ bytes: [UInt8]) {
        let channel = EmbeddedChannel()
        let tunnel = channel.eventLoop.makePromise(of: Void.self)
        try? channel.pipeline.syncOperations.addHandler(
            ConnectHandler(host: "h", port: 1, authorization: nil, tunnel: tunnel)
        )
        tunnel.futureResult.whenComplete { _ in }
        for start in stride(from: 0, to: bytes.count, by: 29) {
            guard (try? channel.writeInbound(ByteBuffer(bytes: bytes[start..<min(bytes.count, start + 29)]))) != nil
            else { break }
        }
        _ = try? channel.finish(acceptAlreadyClosed: true)
    }
}
