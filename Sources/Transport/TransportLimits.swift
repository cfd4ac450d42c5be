import CKernels

/// Limits of connections; README.md lists them.
public enum TransportLimits {
    public static let connections = 4096
    /// Connections of one address whose handshake is not over.
    public static let handshakesPerAddress = 1024
    /// Messages in one read of a socket: more of them, and smaller, only waste the reader's time.
    public static let framesPerRead = 8192
    public static let handshakeSeconds: Int64 = 10
    /// From the end of the handshake to the hello.
    public static let helloSeconds: Int64 = 10
    public static let connectSeconds: Int64 = 10
    /// For an operator's question.
    public static let answerSeconds: Int64 = 600
    /// Frames that may wait for a slow reader in the process.
    public static let framesInFlight = 8
}

/// What a process asks of the system at its start.
public enum ProcessResources {
    /// Keeps freed buffers in the process, so that transfers do not spend their time on page faults. Call once at start.
    public static func keepBuffers() { kumiai_keep_buffers() }
    /// Allows as many open files as the system lets this process have. Call once at start.
    public static func raiseDescriptorLimit() { kumiai_raise_descriptor_limit() }
}
