import Federation
import KumiaiProto

/// A negative response, with the reason and what to do.
public struct Refusal: Error, Equatable, Sendable, CustomStringConvertible {
    public enum Code: String, Sendable, CaseIterable {
        case version, identity, role, limit, invalid, notFound, conflict, unavailable
    }

    public let code: Code
    public let message: String
    public let hint: String

    /// Creates a refusal.
    ///
    /// - Parameters:
    ///   - code: The kind of the reason.
    ///   - message: The reason, as a sentence for the user.
    ///   - hint: What the user can do; empty if there is no advice.
    public init(_ code: Code, _ message: String, hint: String = "") {
        self.code = code
        self.message = message
        self.hint = hint
    }

    public var description: String { message }
}

// MARK: Packing

extension Refusal.Code {
    private static let numbers: [(Self, Kumiai__V1__RefusalCode)] = [
        (.version, KUMIAI__V1__REFUSAL_CODE__VERSION), (.identity, KUMIAI__V1__REFUSAL_CODE__IDENTITY),
        (.role, KUMIAI__V1__REFUSAL_CODE__ROLE), (.limit, KUMIAI__V1__REFUSAL_CODE__LIMIT),
        (.invalid, KUMIAI__V1__REFUSAL_CODE__INVALID), (.notFound, KUMIAI__V1__REFUSAL_CODE__NOT_FOUND),
        (.conflict, KUMIAI__V1__REFUSAL_CODE__CONFLICT), (.unavailable, KUMIAI__V1__REFUSAL_CODE__UNAVAILABLE),
    ]

    var wireValue: Kumiai__V1__RefusalCode { Self.numbers.first { $0.0 == self }!.1 }

    init(_ number: Kumiai__V1__RefusalCode) throws {
        guard let pair = Self.numbers.first(where: { $0.1 == number }) else {
            throw WireError("refusal.code", "unknown")
        }
        self = pair.0
    }
}
