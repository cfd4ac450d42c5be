import CPlatform
import Glibc

/// Limits on connections; README.md lists them.
public enum TransportLimits {
    /// Connections whose certificates have been checked.
    public static let connections = 4096
    /// The part of them that is reserved for known peers with fewer than two connections.
    public static let connectionsKept = 1024
    /// The largest part of them that operators and auditors may use.
    public static let oversightConnections = 1024
    /// Connections whose handshake is not complete, counted separately. Beyond this limit the oldest one is dropped.
    public static let handshakes = 4096
    /// The same limit for one address; for IPv6, for one /64 network.
    public static let handshakesPerAddress = 1024
    /// Open files that connections leave for the ledger and the blobs.
    public static let descriptorsKept = 256
    /// How long accepting pauses after the system had no descriptor or memory for a connection.
    public static let acceptPauseSeconds: Int64 = 1
    /// The largest number of messages in one read of a socket: a peer that sends more and smaller ones wastes the
    /// reader's time.
    public static let framesPerRead = 8192
    public static let handshakeSeconds: Int64 = 10
    /// The time from the end of the handshake to the hello.
    public static let helloSeconds: Int64 = 10
    public static let connectSeconds: Int64 = 10
    /// The time limit for the answer to an operator's request.
    public static let answerSeconds: Int64 = 600
    /// Frames that may wait in the process for a slow reader.
    public static let framesInFlight = 4
}

/// Settings of the process that are made at its start.
public enum ProcessResources {
    /// Keeps freed buffers in the process, so that transfers do not spend their time on page faults. Call once at the
    /// start.
    public static func keepBuffers() { kumiai_keep_buffers() }
    /// Raises the limit of open files to the system's maximum for this process. Call once at the start.
    public static func raiseDescriptorLimit() { kumiai_raise_descriptor_limit() }

    /// The smallest limit that a command can work with: for the event loops, the ledger and a connection.
    public static let leastDescriptors = 32

    /// The number of files that this process may have open.
    public static var descriptorLimit: Int {
        var limit = rlimit()
        guard getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0 else { return 1024 }
        return Int(clamping: limit.rlim_cur)
    }
}
