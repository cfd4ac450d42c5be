import CPlatform
import NIOPosix

/// Gives freed pages back to the system now and then. A service that keeps a little of every round beside large buffers
/// that come and go would grow: what is small splits the room that a large one has left.
public struct MemoryReturn {
    private static let seconds = 10
    private var last = ContinuousClock.now

    public init() {}

    /// Does so on a thread of `pool` where the last time is long enough ago.
    public mutating func ifDue(on pool: NIOThreadPool) async {
        guard ContinuousClock.now - last > .seconds(Self.seconds) else { return }
        last = .now
        _ = try? await pool.runIfActive { kumiai_return_memory() }
    }
}
