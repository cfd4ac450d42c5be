/// Limits of what sites may send; README.md lists them.
public enum CoordinatorLimits {
    /// An update's file may be this much larger than the base model's: its header may name other metadata.
    public static let headerSlackBytes = 64 * 1024
    /// Blobs that one site may be uploading at a time.
    public static let uploadsPerSite = 2
    /// A connection that says nothing for this many heartbeats is closed.
    public static let silentHeartbeats = 6
}
