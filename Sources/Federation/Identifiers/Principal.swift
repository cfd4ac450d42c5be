/// The identity in a certificate: a role in a consortium.
///
/// The certificate proves the role; the ledger grants the right to act.
public struct Principal: Hashable, Sendable, CustomStringConvertible {
    public enum Role: Hashable, Sendable {
        case site(SiteID)
        case `operator`(String)
        case auditor(String)
        case coordinator(String)
    }

    /// The SPIFFE trust domain, for example `robots.example`.
    public let consortium: String
    public let role: Role

    /// Creates the value from its parts; see the properties.
    ///
    /// - Parameters:
    ///   - consortium: The SPIFFE trust domain.
    ///   - role: The role in the consortium.
    public init(consortium: String, role: Role) {
        self.consortium = consortium
        self.role = role
    }

    public var site: SiteID? {
        if case .site(let site) = role { site } else { nil }
    }

    public var isCoordinator: Bool {
        if case .coordinator = role { true } else { false }
    }

    public var isOperator: Bool {
        if case .operator = role { true } else { false }
    }

    public var isAuditor: Bool {
        if case .auditor = role { true } else { false }
    }

    /// The role as a path: `member/<m>/site/<s>`, `operator/<o>`, `auditor/<a>` or `coordinator/<c>`.
    public var path: String {
        switch role {
        case .site(let id): "member/\(id.member)/site/\(id.site)"
        case .operator(let name): "operator/\(name)"
        case .auditor(let name): "auditor/\(name)"
        case .coordinator(let name): "coordinator/\(name)"
        }
    }

    public var description: String { "spiffe://\(consortium)/\(path)" }
}
