import Federation
import NIOConcurrencyHelpers
import NIOCore
import Wire

/// The admission of peers, shared by all connections, with the channels of unfinished handshakes.
final class ConnectionRegistry: Sendable {
    private struct State {
        var admission: AdmissionControl
        var handshakes: [UInt64: any Channel] = [:]
        var dropped = 0
        var failed = 0
    }

    private let state: NIOLockedValueBox<State>

    init(_ limits: AdmissionControl.Limits) { state = NIOLockedValueBox(State(admission: AdmissionControl(limits))) }

    var limits: AdmissionControl.Limits { state.withLockedValue { $0.admission.limits } }
    /// Returns and resets the counts of handshakes that newer ones have displaced, and of failed handshakes that were
    /// not logged.
    func takeCounts() -> (dropped: Int, unlogged: Int) {
        state.withLockedValue { state in
            defer { (state.dropped, state.failed) = (0, 0) }
            return (state.dropped, max(0, state.failed - Self.loggedFailures))
        }
    }

    /// Counts a failed handshake, and returns whether to log it: unknown peers must not fill the log.
    func mayReportFailure() -> Bool {
        state.withLockedValue { state in
            state.failed += 1
            return state.failed <= Self.loggedFailures
        }
    }

    /// The number of failed handshakes that are logged individually between two counts.
    private static let loggedFailures = 50

    func addKnownPeers(_ peers: [Principal]) { state.withLockedValue { $0.admission.addKnownPeers(peers) } }

    /// Returns `nil` if there is no place for the connection.
    func ticket(_ channel: any Channel) -> ConnectionSlot? {
        let (number, dropped) = state.withLockedValue { state -> (UInt64?, (any Channel)?) in
            let arrival = state.admission.arrive(from: channel.remoteAddress?.network ?? "")
            if let number = arrival.number { state.handshakes[number] = channel }
            if arrival.dropped != nil { state.dropped += 1 }
            return (arrival.number, arrival.dropped.flatMap { state.handshakes.removeValue(forKey: $0) })
        }
        dropped?.close(promise: nil)
        return number.map { ConnectionSlot(self, $0) }
    }

    fileprivate func hasAdmitted(_ number: UInt64) -> Bool {
        state.withLockedValue { $0.admission.hasAdmitted(number) }
    }

    fileprivate func holds(_ number: UInt64) -> Bool { state.withLockedValue { $0.admission.holds(number) } }

    fileprivate func admit(_ number: UInt64, _ peer: Principal) -> Refusal? {
        state.withLockedValue { state in
            if let refusal = state.admission.admit(number, peer) { return refusal }
            state.handshakes[number] = nil
            return nil
        }
    }

    fileprivate func end(_ number: UInt64) {
        state.withLockedValue { state in
            state.admission.end(number)
            state.handshakes[number] = nil
        }
    }
}

/// The place that one connection takes, from its acceptance to its end.
struct ConnectionSlot: Sendable {
    private let registry: ConnectionRegistry
    private let number: UInt64

    fileprivate init(_ registry: ConnectionRegistry, _ number: UInt64) {
        self.registry = registry
        self.number = number
    }

    /// Counts the connection as its peer's once its handshake is complete; returns the reason if it is refused.
    func admit(_ peer: Principal) -> Refusal? { registry.admit(number, peer) }
    var isAdmitted: Bool { registry.hasAdmitted(number) }
    /// Whether the connection still has its place; a newer handshake may have displaced it.
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

    /// The network that one client controls: an IPv4 address, or an IPv6 /64 network.
    var network: String {
        guard case .v6(let address) = self else { return ipAddress ?? "" }
        return withUnsafeBytes(of: address.address.sin6_addr) { bytes in
            // An IPv4-mapped IPv6 address.
            bytes.prefix(10).allSatisfy { $0 == 0 } && bytes[10] == 0xff && bytes[11] == 0xff
                ? hexadecimal(bytes) : hexadecimal(bytes.prefix(8))
        }
    }
}
