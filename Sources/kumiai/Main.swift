import Foundation
import KumiaiCommands

@main
struct Main {
    static func main() async {
        Kumiai.prepare()
        exit(await Kumiai.perform())
    }
}
