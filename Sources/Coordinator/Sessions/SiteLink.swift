import Federation
import Protocol

/// The shell's side of a site's control connection: a queue of messages to the site.
///
/// The connection's own task drains it, so that a slow site does not delay others.
final class SiteLink: Sendable {
    struct Instruction: Sendable {
        let assignment: Assignment
        /// The entry that proves why the site is asked again.
        let proof: UInt64?
    }

    let id: LinkID
    let instructions: AsyncStream<Instruction>
    private let queue: AsyncStream<Instruction>.Continuation

    init(_ id: LinkID) {
        self.id = id
        // Only the newest instructions matter.
        (instructions, queue) = AsyncStream.makeStream(bufferingPolicy: .bufferingNewest(4))
    }

    func send(_ assignment: Assignment, provedBy proof: UInt64?) {
        queue.yield(Instruction(assignment: assignment, proof: proof))
    }
    /// Ends the connection's task.
    func close() { queue.finish() }
}
