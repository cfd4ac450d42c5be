import CPlatform
import Glibc

/// Limits of connections; README.md lists them.
public enum TransportLimits {
    /// Connections whose certificate has been checked.
    public static let connections = 4096
    /// Of them, kept for peers that are known and have fewer than two.
    public static let connectionsKept = 1024
    /// Of them, those of operators and auditors at most.
    public static let oversightConnections = 1024
    /// Connections whose handshake is not over; they count by themselves. Beyond it the oldest one ends.
    public static let handshakes = 4096
    /// The same of one address; of IPv6, of one network of 64 bits.
    public static let handshakesPerAddress = 1024
    /// Open files that connections leave to the ledger and the blobs.
    public static let descriptorsKept = 256
    /// How long nothing is accepted after the system had no descriptor, or no memory, for a connection.
    public static let acceptPauseSeconds: Int64 = 1
    /// Messages in one read of a socket: more of them, and smaller, only waste the reader's time.
    public static let framesPerRead = 8192
    public static let handshakeSeconds: Int64 = 10
    /// From the end of the handshake to the hello.
    public static let helloSeconds: Int64 = 10
    public static let connectSeconds: Int64 = 10
    /// For an operator's question.
    public static let answerSeconds: Int64 = 600
    /// Frames that may wait for a slow reader in the process.
    public static let framesInFlight = 4
}

/// What a process asks of the system at its start.
public enum ProcessResources {
    /// Keeps freed buffers in the process, so that transfers do not spend their time on page faults. Call once at
    /// start.
    public static func keepBuffers() { kumiai_keep_buffers() }
    /// Allows as many open files as the system lets this process have. Call once at start.
    public static func raiseDescriptorLimit() { kumiai_raise_descriptor_limit() }

    /// What a command needs at least: the event loops, the ledger, a connection.
    public static let leastDescriptors = 32

    /// How many files this process may have open.
    public static var descriptorLimit: Int {
        var limit = rlimit()
        guard getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0 else { return 1024 }
        return Int(clamping: limit.rlim_cur)
    }
}
