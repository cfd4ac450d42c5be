import Blobs
import Federation
import Wire

/// Losses that were declared in the ledger and wait until this site's engineer accepts them.
package struct DeclaredLosses {
    private let memory: LedgerMemory
    private let losses: [DeclaredLoss]

    /// Reads the data directory of a worker. The worker may be running.
    ///
    /// - Throws: `WorkerError` or another error if the directory cannot be read.
    package init(_ configuration: WorkerConfiguration) throws {
        memory = try LedgerMemory(directory: configuration.dataDirectory, consortium: configuration.consortium)
        losses = try memory.proposedLosses()
    }

    package var proposed: [LossDeclaration] { losses.map(\.declaration) }

    package func acceptAll() throws {
        for loss in losses { try memory.accept(loss) }
    }
}
