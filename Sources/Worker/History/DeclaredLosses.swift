import Blobs
import Federation
import Wire

/// Losses that were declared in the ledger and wait until this site's engineer accepts them.
public struct DeclaredLosses {
    private let memory: LedgerMemory
    private let losses: [DeclaredLoss]

    /// Reads the data directory of a worker. The worker may be running.
    ///
    /// - Throws: `WorkerError` or another error if the directory cannot be read.
    public init(_ configuration: WorkerConfiguration) throws {
        memory = try LedgerMemory(directory: configuration.dataDirectory, consortium: configuration.consortium)
        losses = try memory.proposedLosses()
    }

    public var proposed: [LossDeclaration] { losses.map(\.declaration) }

    public func acceptAll() throws {
        for loss in losses { try memory.accept(loss) }
    }
}
