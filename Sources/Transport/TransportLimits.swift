import CPlatform
import Glibc

/// Limits on connections; README.md lists them.
package enum TransportLimits {
    /// Connections whose certificates have been checked.
    package static let connections = 4096
    /// The part of them that is reserved for known peers with fewer than two connections.
    package static let connectionsKept = 1024
    /// The largest part of them that operators and auditors may use.
    package static let oversightConnections = 1024
    /// Connections whose handshake is not complete, counted separately. Beyond this limit the oldest one is dropped.
    package static let handshakes = 4096
    /// The same limit for one address; for IPv6, for one /64 network.
    package static let handshakesPerAddress = 1024
    /// Open files that connections leave for the ledger and the blobs.
    package static let descriptorsKept = 256
    /// How long accepting pauses after the system had no descriptor or memory for a connection.
    package static let acceptPauseSeconds: Int64 = 1
    /// The largest number of messages in one read of a socket: a peer that sends more and smaller ones wastes the
    /// reader's time.
    package static let framesPerRead = 8192
    package static let handshakeSeconds: Int64 = 10
    /// The time from the end of the handshake to the hello.
    package static let helloSeconds: Int64 = 10
    package static let connectSeconds: Int64 = 10
    /// The time limit for the answer to an operator's request.
    package static let answerSeconds: Int64 = 600
    /// Frames that may wait in the process for a slow reader.
    package static let framesInFlight = 4
}

/// Settings of the process that are made at its start.
package enum ProcessResources {
    /// Keeps freed buffers in the process, so that transfers do not spend their time on page faults. Call once at the
    /// start.
    package static func keepBuffers() { kumiai_keep_buffers() }
    /// Raises the limit of open files to the system's maximum for this process. Call once at the start.
    package static func raiseDescriptorLimit() { kumiai_raise_descriptor_limit() }

    /// The smallest limit that a command can work with: for the event loops, the ledger and a connection.
    package static let leastDescriptors = 32

    /// The number of files that this process may have open.
    package static var descriptorLimit: Int {
        var limit = rlimit()
        guard getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0 else { return 1024 }
        return Int(clamping: limit.rlim_cur)
    }
}
