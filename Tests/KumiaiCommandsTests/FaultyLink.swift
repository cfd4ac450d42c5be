import Foundation
import Synchronization

/// Simulates a factory's network between a site and the coordinator: slow, and interrupted now and then.
///
/// Forwards TCP from its own port to another. All connections share its bandwidth.
final class FaultyLink: Sendable {
    private struct State {
        var bytesPerSecond: Double
        var latency: TimeInterval
        var isSilent = false
        var isClosed = false
        var free = Date.distantPast
        var connections: [Int32] = []
        var up = 0
        var down = 0
        var accepted = 0
    }

    let port: Int
    private let target: Int
    private let listener: Int32
    private let state: Mutex<State>

    init(to target: Int, bytesPerSecond: Double = 1e9, latency: TimeInterval = 0) {
        self.target = target
        state = Mutex(State(bytesPerSecond: bytesPerSecond, latency: latency))
        let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        var address = Self.loopback(0)
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        _ = withUnsafeMutablePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(descriptor, $0, length) == 0 && getsockname(descriptor, $0, &length) == 0
            }
        }
        port = Int(UInt16(bigEndian: address.sin_port))
        listen(descriptor, 1024)
        listener = descriptor
        Thread.detachNewThread { [self] in accept() }
    }

    /// Payload and TLS bytes that were forwarded in each direction.
    var bytesUp: Int { state.withLock { $0.up } }
    var bytesDown: Int { state.withLock { $0.down } }
    var accepted: Int { state.withLock { $0.accepted } }
    func setRate(_ bytesPerSecond: Double) { state.withLock { $0.bytesPerSecond = bytesPerSecond } }

    /// Nothing gets through, and neither side gets an error.
    func setSilent(_ isSilent: Bool) { state.withLock { $0.isSilent = isSilent } }

    /// Breaks all connections.
    func cut() {
        let open = state.withLock { state in
            defer { state.connections = [] }
            return state.connections
        }
        for descriptor in open { shutdown(descriptor, Int32(SHUT_RDWR)) }
    }

    func close() {
        state.withLock { $0.isClosed = true }
        shutdown(listener, Int32(SHUT_RDWR))
        Glibc.close(listener)
        cut()
    }

    private static func loopback(_ port: Int) -> sockaddr_in {
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = inet_addr("127.0.0.1")
        address.sin_port = UInt16(port).bigEndian
        return address
    }

    private func accept() {
        while true {
            let client = Glibc.accept(listener, nil, nil)
            guard client >= 0 else { return }
            // A link that is down does not answer.
            while state.withLock({ $0.isSilent && !$0.isClosed }) { usleep(20_000) }
            let server = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
            var address = Self.loopback(target)
            let connected = withUnsafePointer(to: &address) { pointer in
                pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                    connect(server, $0, socklen_t(MemoryLayout<sockaddr_in>.size)) == 0
                }
            }
            guard connected else {
                Glibc.close(client)
                Glibc.close(server)
                continue
            }
            state.withLock {
                $0.connections += [client, server]
                $0.accepted += 1
            }
            let pair = Pair(client, server)
            Thread.detachNewThread { [self] in pump(client, server, pair) { state, count in state.up += count } }
            Thread.detachNewThread { [self] in pump(server, client, pair) { state, count in state.down += count } }
        }
    }

    /// Two sockets that are closed when both directions have ended.
    private final class Pair: Sendable {
        private let left: Mutex<Int> = Mutex(2)
        private let sockets: (Int32, Int32)
        init(_ a: Int32, _ b: Int32) { sockets = (a, b) }

        func end() {
            shutdown(sockets.0, Int32(SHUT_RDWR))
            shutdown(sockets.1, Int32(SHUT_RDWR))
            let isLast = left.withLock { count in
                count -= 1
                return count == 0
            }
            guard isLast else { return }
            Glibc.close(sockets.0)
            Glibc.close(sockets.1)
        }
    }

    private func pump(_ from: Int32, _ to: Int32, _ pair: Pair, _ count: @escaping @Sendable (inout State, Int) -> Void)
    {
        // Bytes that were read are delivered after the link's latency, while more bytes are read.
        let delivery = DispatchQueue(label: "link")
        let onTheWay = DispatchSemaphore(value: 256)
        var buffer = [UInt8](repeating: 0, count: 16_384)
        while true {
            let wanted = state.withLock { $0.bytesPerSecond < 16_384 ? 1 : buffer.count }
            let got = read(from, &buffer, wanted)
            guard got > 0 else { break }
            let bytes = Array(buffer[..<got])
            let (turn, latency) = turn(for: got)
            Thread.sleep(until: turn)
            onTheWay.wait()
            delivery.async { [self] in
                Thread.sleep(until: turn.addingTimeInterval(latency))
                waitWhileSilent()
                if Self.sendAll(bytes, to: to) { state.withLock { count(&$0, got) } }
                onTheWay.signal()
            }
        }
        delivery.sync {}
        state.withLock { $0.connections.removeAll { $0 == from || $0 == to } }
        pair.end()
    }

    private static func sendAll(_ bytes: [UInt8], to descriptor: Int32) -> Bool {
        var done = 0
        while done < bytes.count {
            let written = bytes.withUnsafeBytes {
                send(descriptor, $0.baseAddress! + done, bytes.count - done, Int32(MSG_NOSIGNAL))
            }
            guard written > 0 else { return false }
            done += written
        }
        return true
    }

    /// The time at which the shared link will have carried this number of further bytes.
    private func turn(for bytes: Int) -> (turn: Date, latency: TimeInterval) {
        state.withLock { state in
            state.free = max(Date(), state.free).addingTimeInterval(Double(bytes) / state.bytesPerSecond)
            return (state.free, state.latency)
        }
    }

    private func waitWhileSilent() {
        while state.withLock({ $0.isSilent && !$0.isClosed }) { usleep(20_000) }
    }
}
