import CKernels

/// Limits of connections; README.md lists them.
public enum TransportLimits {
    public static let connections = 4096
    public static let handshakeSeconds: Int64 = 10
    /// From the end of the handshake to the hello.
    public static let helloSeconds: Int64 = 10
    public static let connectSeconds: Int64 = 10
    /// Frames that may wait for a slow reader in the process.
    public static let framesInFlight = 8
}

public enum Allocator {
    /// Keeps freed buffers in the process, so that transfers do not spend their time on page faults. Call once at start.
    public static func keepBuffers() { kumiai_keep_buffers() }
}
