import Federation

/// An identity whose files may be replaced while a service runs: the newest one that holds.
public struct ReloadingIdentity<Value: Sendable>: Sendable {
    /// Reads the identity from its files; gets the former one, which the new one must go on from.
    public typealias Load = @Sendable (_ former: Value?, _ now: Timestamp) throws -> (value: Value, context: TLSContext)

    public enum Outcome: Sendable {
        case unchanged
        case replaced
        /// The files do not hold; the former identity stays.
        case refused(any Error)
    }

    public private(set) var current: Value
    /// What new connections are made with.
    public let contexts: TLSContextBox
    private let load: Load
    private var watch: FileWatch
    private var problem: String?
    private var retryAt: Timestamp?

    /// What did not hold may hold later: a certificate that is not valid yet.
    private static var retrySeconds: Int { 60 }

    /// Reads the identity for the first time; `files` are those that `load` reads.
    public init(files: [String], at now: Timestamp, load: @escaping Load) throws {
        // Looked at before they are read: what changes in between is read again.
        watch = FileWatch(files)
        let (value, context) = try load(nil, now)
        (current, contexts, self.load) = (value, TLSContextBox(context), load)
    }

    /// Reads the files where they were changed since they were last read, and again after a while where they did not
    /// hold.
    public mutating func look(at now: Timestamp) -> Outcome {
        if watch.hasSettledChange() { return reload(at: now) }
        guard let retryAt, now >= retryAt else { return .unchanged }
        let before = problem
        let outcome = reload(at: now)
        // Said when it was first found: not once a minute.
        return problem != nil && problem == before ? .unchanged : outcome
    }

    /// Reads the files now.
    public mutating func reload(at now: Timestamp) -> Outcome {
        watch.accept()
        do {
            let (value, context) = try load(current, now)
            current = value
            contexts.replace(with: context)
            (problem, retryAt) = (nil, nil)
            return .replaced
        } catch {
            // Not its text, in which a clock may stand.
            problem = (error as? IdentityError)?.code.rawValue ?? "\(error)"
            retryAt = now.adding(seconds: Self.retrySeconds)
            return .refused(error)
        }
    }
}
