/// A problem at a site: a summary that is sent to the coordinator, and details that never leave the site.
///
/// An error can contain names of files, instructions or values of demonstrations. Therefore the coordinator gets only
/// the kind of the problem; the whole text is only in this site's log and status.
package struct SiteProblem: Equatable, Sendable {
    /// Sent to the coordinator. Always a fixed sentence of the code, never the text of an error.
    let summary: String
    let detail: String

    init(_ summary: String, detail: String = "") {
        self.summary = summary
        self.detail = detail
    }

    /// The whole text, for this site only.
    var text: String { detail.isEmpty ? summary : "\(summary): \(detail)" }
}
