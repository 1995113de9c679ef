import { useMutation } from "@tanstack/react-query";
import { type FormEvent, useState } from "react";
import { redeem, type Redemption, useRedemptions } from "@/api/promotions";
import { useTexts } from "@/i18n";
import { yuan } from "@/lib/money";
import { moment } from "@/lib/time";
import { Button } from "@/ui/Button";
import { Card } from "@/ui/Card";
import { TextField } from "@/ui/Field";
import { Loaded } from "@/ui/Loaded";
import { More } from "@/ui/More";
import { Problem, problemOf } from "@/ui/Problem";

/** A code that somebody has, and those that were used before. */
export function RedeemCard() {
  const t = useTexts("finance");
  const [code, setCode] = useState("");
  const redeeming = useMutation({ mutationFn: redeem, onSuccess: () => setCode("") });
  const atField = problemOf(redeeming.error, "code");

  function submit(event: FormEvent): void {
    event.preventDefault();
    redeeming.mutate(code);
  }

  return (
    <Card>
      <h2 className="mb-4">{t("redeem")}</h2>
      <form noValidate onSubmit={submit} className="flex flex-col gap-3">
        <TextField
          label={t("code")}
          hint={t("codeHint")}
          problem={atField}
          value={code}
          onChange={(event) => setCode(event.target.value)}
          autoComplete="off"
          autoCapitalize="characters"
          spellCheck={false}
          maxLength={100}
          className="font-mono"
        />
        {redeeming.isError && !atField && <Problem error={redeeming.error} />}
        <Button type="submit" disabled={!code.trim()} isBusy={redeeming.isPending}>
          {t("redeemSubmit")}
        </Button>
        <p role="status" className="text-sm text-good empty:hidden">
          {redeeming.isSuccess && t("redeemed", { amount: yuan(redeeming.data.promotion.amount) })}
        </p>
      </form>
      <Redeemed />
    </Card>
  );
}

function Redeemed() {
  const codes = useRedemptions();
  return (
    <Loaded of={codes} skeleton={null}>
      {({ pages }) => <RedeemedCodes rows={pages.flatMap((page) => page.data)} more={codes} />}
    </Loaded>
  );
}

function RedeemedCodes({ rows, more }: { rows: readonly Redemption[]; more: ReturnType<typeof useRedemptions> }) {
  const t = useTexts("finance");
  if (rows.length === 0) return null;
  return (
    <section className="mt-5 border-t border-line pt-4">
      <h3 className="mb-2 text-sm text-muted">{t("redeemedBefore")}</h3>
      <ul className="flex flex-col gap-2 text-sm">
        {rows.map((one) => (
          <li key={one.id} className="flex flex-wrap items-baseline justify-between gap-x-3">
            <code>{one.hint}…</code>
            <span className="tabular-nums">{yuan(one.promotion.amount, { sign: true })}</span>
            <time dateTime={one.redeemed_at} className="w-full text-xs text-faint">
              {moment(one.redeemed_at)}
            </time>
          </li>
        ))}
      </ul>
      <More of={more} />
    </section>
  );
}
