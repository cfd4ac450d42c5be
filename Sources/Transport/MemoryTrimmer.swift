import CPlatform
import NIOPosix

/// Returns freed memory to the system at intervals. Without this, a service that keeps small objects from every round
/// between large temporary buffers would grow, because the small objects fragment the memory that the buffers leave.
package struct MemoryTrimmer {
    private static let seconds = 10
    private var last = ContinuousClock.now

    package init() {}

    /// Returns memory on a thread of `pool`, if the last time is long enough ago.
    package mutating func ifDue(on pool: NIOThreadPool) async {
        guard ContinuousClock.now - last > .seconds(Self.seconds) else { return }
        last = .now
        _ = try? await pool.runIfActive { kumiai_return_memory() }
    }
}
