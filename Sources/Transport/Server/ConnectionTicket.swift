import Federation
import NIOConcurrencyHelpers
import NIOCore
import Wire

/// The gate and the channels that wait at it.
final class ConnectionRegistry: Sendable {
    private struct State {
        var gate: ConnectionGate
        var handshakes: [UInt64: any Channel] = [:]
        var dropped = 0
        var failed = 0
    }

    private let state: NIOLockedValueBox<State>

    init(_ limits: ConnectionGate.Limits) { state = NIOLockedValueBox(State(gate: ConnectionGate(limits))) }

    var limits: ConnectionGate.Limits { state.withLockedValue { $0.gate.limits } }
    /// Handshakes that ended because newer ones needed their places, and failed ones of which nothing was said, since
    /// this was asked last.
    func takeCounts() -> (dropped: Int, unsaid: Int) {
        state.withLockedValue { state in
            defer { (state.dropped, state.failed) = (0, 0) }
            return (state.dropped, max(0, state.failed - Self.failuresSaid))
        }
    }

    /// Whether to say that a handshake failed: strangers must not fill the log.
    func mayReportFailure() -> Bool {
        state.withLockedValue { state in
            state.failed += 1
            return state.failed <= Self.failuresSaid
        }
    }

    /// Failed handshakes that are logged one by one, between two counts.
    private static let failuresSaid = 50

    func know(_ peers: [Principal]) { state.withLockedValue { $0.gate.know(peers) } }

    /// `nil`: there is no place for it.
    func ticket(_ channel: any Channel) -> ConnectionTicket? {
        let (number, dropped) = state.withLockedValue { state -> (UInt64?, (any Channel)?) in
            let arrival = state.gate.arrive(from: channel.remoteAddress?.network ?? "")
            if let number = arrival.number { state.handshakes[number] = channel }
            if arrival.dropped != nil { state.dropped += 1 }
            return (arrival.number, arrival.dropped.flatMap { state.handshakes.removeValue(forKey: $0) })
        }
        dropped?.close(promise: nil)
        return number.map { ConnectionTicket(self, $0) }
    }

    fileprivate func hasAdmitted(_ number: UInt64) -> Bool { state.withLockedValue { $0.gate.hasAdmitted(number) } }
    fileprivate func holds(_ number: UInt64) -> Bool { state.withLockedValue { $0.gate.holds(number) } }

    fileprivate func admit(_ number: UInt64, _ peer: Principal) -> Refusal? {
        state.withLockedValue { state in
            if let refusal = state.gate.admit(number, peer) { return refusal }
            state.handshakes[number] = nil
            return nil
        }
    }

    fileprivate func end(_ number: UInt64) {
        state.withLockedValue { state in
            state.gate.end(number)
            state.handshakes[number] = nil
        }
    }
}

/// One connection's place among all of them, from its acceptance to its end.
struct ConnectionTicket: Sendable {
    private let registry: ConnectionRegistry
    private let number: UInt64

    fileprivate init(_ registry: ConnectionRegistry, _ number: UInt64) {
        self.registry = registry
        self.number = number
    }

    /// Counts the connection as its peer's, once its handshake is over; or says why not.
    func admit(_ peer: Principal) -> Refusal? { registry.admit(number, peer) }
    var isAdmitted: Bool { registry.hasAdmitted(number) }
    /// Whether it still has its place; a handshake that a newer one has displaced has not.
    var isHeld: Bool { registry.holds(number) }
    func end() { registry.end(number) }
}

extension SocketAddress {
    /// `192.0.2.1:7443` or `[2001:db8::1]:7443`.
    var text: String {
        guard let ipAddress else { return description }
        let port = port.map { ":\($0)" } ?? ""
        return self.protocol == .inet6 ? "[\(ipAddress)]\(port)" : "\(ipAddress)\(port)"
    }

    /// What one holder of addresses has: an IPv4 address, or an IPv6 network of 64 bits.
    var network: String {
        guard case .v6(let address) = self else { return ipAddress ?? "" }
        return withUnsafeBytes(of: address.address.sin6_addr) { bytes in
            // IPv4 in IPv6 clothes.
            bytes.prefix(10).allSatisfy { $0 == 0 } && bytes[10] == 0xff && bytes[11] == 0xff
                ? hexadecimal(bytes) : hexadecimal(bytes.prefix(8))
        }
    }
}
