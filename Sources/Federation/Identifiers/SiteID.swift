/// A factory site of a member: `member/site`, as in its certificate.
public struct SiteID: Hashable, Comparable, Sendable, CustomStringConvertible {
    public let member: String
    public let site: String

    /// Creates a site's identifier; `nil` unless both parts are valid names.
    ///
    /// - Parameters:
    ///   - member: The member's name, 1 to 64 bytes as for every ``Name``.
    ///   - site: The site's name within the member, a valid name too.
    public init?(member: String, site: String) {
        guard CampaignID.isValid(member), CampaignID.isValid(site) else { return nil }
        self.member = member
        self.site = site
    }

    /// Parses `member/site`; returns `nil` if `text` does not have this form.
    ///
    /// - Parameter text: Two valid names with one slash between them, as `description` writes them.
    public init?(_ text: String) {
        let parts = text.split(separator: "/", omittingEmptySubsequences: false)
        guard parts.count == 2 else { return nil }
        self.init(member: String(parts[0]), site: String(parts[1]))
    }

    public var description: String { "\(member)/\(site)" }
    /// Whether a site precedes another: by the members' names, then by the sites'.
    ///
    /// - Parameters:
    ///   - a: The site that may precede.
    ///   - b: The site that may follow.
    public static func < (a: SiteID, b: SiteID) -> Bool { (a.member, a.site) < (b.member, b.site) }
}
