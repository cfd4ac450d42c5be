/// What a site has seen of the ledger beside its worker: its engineer fetches releases too.
public struct SeenLedger {
    private let memory: LedgerMemory

    /// Opens the data directory of a worker, which may run meanwhile.
    public init(_ configuration: WorkerConfiguration) throws {
        memory = try LedgerMemory(directory: configuration.dataDirectory, consortium: configuration.consortium)
    }

    /// Keeps a tree head under which something was proved to this site, where it is the newest.
    public func note(_ treeHead: String) throws { try memory.noteFetched(treeHead) }
}
