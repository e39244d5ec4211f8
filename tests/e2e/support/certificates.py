"""A certificate authority and server certificates, made by openssl."""

import subprocess
from dataclasses import dataclass
from pathlib import Path


@dataclass
class Certificate:
    certificate: Path
    key: Path

    def as_config(self) -> dict:
        return {"certificate": str(self.certificate), "key": str(self.key)}


class Authority:
    def __init__(self, directory: Path, name: str = "Test CA"):
        self.directory = directory
        directory.mkdir(parents=True, exist_ok=True)
        self.certificate = directory / "ca.pem"
        self.key = directory / "ca.key"
        self._make(Certificate(self.certificate, self.key), name, [
            "-addext", "basicConstraints=critical,CA:true",
            "-addext", "keyUsage=critical,keyCertSign,cRLSign",
        ])

    def issue(self, *names: str, file: str = "") -> Certificate:
        """A server certificate for DNS names and addresses, signed by this authority."""
        stem = file or names[0].replace("*", "any")
        made = Certificate(self.directory / f"{stem}.pem", self.directory / f"{stem}.key")
        alternatives = ",".join(
            ("IP:" if n.replace(".", "").isdigit() or ":" in n else "DNS:") + n for n in names
        )
        self._make(made, names[0], [
            "-CA", self.certificate, "-CAkey", self.key,
            "-addext", f"subjectAltName={alternatives}",
            "-addext", "basicConstraints=critical,CA:false",
        ])
        return made

    def issue_to(self, common_name: str, *emails: str, file: str) -> Certificate:
        """A client's certificate, with mail addresses as further names."""
        made = Certificate(self.directory / f"{file}.pem", self.directory / f"{file}.key")
        alternatives = ",".join(f"email:{email}" for email in emails)
        self._make(made, common_name, [
            "-CA", self.certificate, "-CAkey", self.key,
            *(["-addext", f"subjectAltName={alternatives}"] if emails else []),
            "-addext", "basicConstraints=critical,CA:false",
            "-addext", "extendedKeyUsage=clientAuth",
        ])
        return made

    def revoke(self, *certificates: Certificate) -> Path:
        """A file of this authority and its list of revoked certificates."""
        folder = self.directory / "revocation"
        folder.mkdir(exist_ok=True)
        (folder / "index").write_text("")
        (folder / "crlnumber").write_text("01\n")
        config = folder / "openssl.cnf"
        config.write_text("[ca]\ndefault_ca = own\n[own]\ndefault_md = sha256\n"
                          f"database = {folder}/index\ncrlnumber = {folder}/crlnumber\n")
        command = ["openssl", "ca", "-config", config, "-cert", self.certificate, "-keyfile",
                   self.key]
        for certificate in certificates:
            subprocess.run([*command, "-revoke", certificate.certificate], check=True,
                           capture_output=True)
        listed = subprocess.run([*command, "-gencrl", "-crldays", "30"], check=True,
                                capture_output=True).stdout
        both = folder / "ca-and-crl.pem"
        both.write_bytes(self.certificate.read_bytes() + listed)
        return both

    @staticmethod
    def _make(target: Certificate, name: str, options: list) -> None:
        subprocess.run(
            ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
             "-nodes", "-days", "30", "-subj", f"/CN={name}",
             "-keyout", target.key, "-out", target.certificate, *options],
            check=True, capture_output=True,
        )  # fmt: skip
