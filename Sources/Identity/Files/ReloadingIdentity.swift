import Federation

/// An identity whose files may be replaced while a service runs: always the newest valid one.
public struct ReloadingIdentity<Value: Sendable>: Sendable {
    /// Reads the identity from its files. `former` is the current one, which the new one must be a successor of.
    public typealias Load = @Sendable (_ former: Value?, _ now: Timestamp) throws -> (value: Value, context: TLSContext)

    public enum Outcome: Sendable {
        case unchanged
        case replaced
        /// The files are not valid; the current identity stays in use.
        case refused(any Error)
    }

    public private(set) var current: Value
    /// The TLS context for new connections.
    public let contexts: TLSContextBox
    private let load: Load
    private var watch: FileWatch
    private var problem: String?
    private var retryAt: Timestamp?

    /// A certificate that is not valid yet may become valid later, so a refused identity is tried again.
    private static var retrySeconds: Int { 60 }

    /// Reads the identity for the first time.
    ///
    /// - Parameters:
    ///   - files: The files that `load` reads.
    ///   - now: The current time.
    ///   - load: Reads the identity.
    /// - Throws: What `load` throws.
    public init(files: [String], at now: Timestamp, load: @escaping Load) throws {
        // Watch before reading, so that a change in between leads to another read.
        watch = FileWatch(files)
        let (value, context) = try load(nil, now)
        (current, contexts, self.load) = (value, TLSContextBox(context), load)
    }

    /// Reads the files if they have changed since they were last read. If they were not valid, reads them again after a
    /// while.
    ///
    /// - Parameter now: The current time.
    /// - Returns: What happened. A problem is reported when it is found, not at every retry.
    public mutating func reloadIfChanged(at now: Timestamp) -> Outcome {
        if watch.hasSettledChange() { return reload(at: now) }
        guard let retryAt, now >= retryAt else { return .unchanged }
        let before = problem
        let outcome = reload(at: now)
        // Report a problem when it is found, not at every retry.
        return problem != nil && problem == before ? .unchanged : outcome
    }

    /// Reads the files now.
    ///
    /// - Parameter now: The current time.
    /// - Returns: `replaced`, or `refused` with the reason.
    public mutating func reload(at now: Timestamp) -> Outcome {
        watch.accept()
        do {
            let (value, context) = try load(current, now)
            current = value
            contexts.replace(with: context)
            (problem, retryAt) = (nil, nil)
            return .replaced
        } catch {
            // Do not compare the text, which may contain the current time.
            problem = (error as? IdentityError)?.code.rawValue ?? "\(error)"
            retryAt = now.adding(seconds: Self.retrySeconds)
            return .refused(error)
        }
    }
}
