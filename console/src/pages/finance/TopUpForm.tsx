import { useMutation } from "@tanstack/react-query";
import { type FormEvent, useState } from "react";
import { useNavigate } from "react-router";
import { type Method, orderTopUp, useMethods } from "@/api/topups";
import { useTexts } from "@/i18n";
import { wholeYuan, yuan } from "@/lib/money";
import { useMethodName } from "@/pages/finance/names";
import { amountOf, type Choice, choicesOf, presetsOf } from "@/pages/finance/ways";
import { paths } from "@/paths";
import { Button } from "@/ui/Button";
import { Card, Empty, Skeleton } from "@/ui/Card";
import { TextField } from "@/ui/Field";
import { Loaded } from "@/ui/Loaded";
import { Problem, problemOf } from "@/ui/Problem";

/** Paying money in, where the platform has a way to. */
export function TopUpCard() {
  const t = useTexts("finance");
  const methods = useMethods();
  return (
    <Card>
      <h2>{t("topUp")}</h2>
      <p className="mt-1 mb-4 text-sm text-muted">{t("topUpLead")}</p>
      <Loaded of={methods} skeleton={<Skeleton className="h-48 w-full" />}>
        {(found) => (found.length === 0 ? <Empty title={t("noMethods")}>{t("noMethodsHint")}</Empty> : <TopUpForm methods={found} />)}
      </Loaded>
    </Card>
  );
}

function TopUpForm({ methods }: { methods: readonly Method[] }) {
  const t = useTexts("finance");
  const navigate = useNavigate();
  const choices = choicesOf(methods, matchMedia("(pointer: coarse)").matches);
  const [place, setPlace] = useState(0);
  const [typed, setTyped] = useState("100");
  const [isTried, setTried] = useState(false);
  const choice = choices[place] ?? choices[0];

  const order = useMutation({
    mutationFn: ({ method, way, amount }: Choice & { amount: string }) => orderTopUp(method.name, way, amount),
    onSuccess: async ({ id, payment }) => {
      await navigate(paths.order(id));
      if (payment.url) location.assign(payment.url); // the order's page stays behind it, for who goes back
    },
  });
  if (!choice) return null;
  const amount = amountOf(typed, choice.method);
  const limits = { min: yuan(choice.method.amount_min), max: yuan(choice.method.amount_max) };

  function submit(event: FormEvent, of: Choice): void {
    event.preventDefault();
    setTried(true);
    if (amount !== null) order.mutate({ ...of, amount });
  }

  const atField = problemOf(order.error, "amount");
  return (
    <form noValidate onSubmit={(event) => submit(event, choice)} className="flex flex-col gap-4">
      <TextField
        label={t("amount")}
        hint={t("amountHint", limits)}
        problem={isTried && amount === null ? `${t("amountWrong")} ${t("amountHint", limits)}` : atField}
        value={typed}
        onChange={(event) => setTyped(event.target.value)}
        inputMode="decimal"
        autoComplete="transaction-amount"
        className="text-lg font-semibold tabular-nums"
      />
      <div role="group" aria-label={t("amountPresets")} className="flex flex-wrap gap-2">
        {presetsOf(choice.method).map((preset) => (
          <Button key={preset} aria-pressed={typed === preset} className="aria-pressed:border-accent aria-pressed:text-accent-ink" onClick={() => setTyped(preset)}>
            {wholeYuan(preset)}
          </Button>
        ))}
      </div>
      <Ways choices={choices} chosen={choice} onChoose={setPlace} />
      {order.isError && !atField && <Problem error={order.error} />}
      <Button type="submit" tone="primary" isBusy={order.isPending}>
        {t("pay")}
      </Button>
    </form>
  );
}

interface WaysProps {
  choices: readonly Choice[];
  chosen: Choice;
  onChoose: (place: number) => void;
}

function Ways({ choices, chosen, onChoose }: WaysProps) {
  const t = useTexts("finance");
  const nameOf = useMethodName();
  return (
    <fieldset className="flex flex-col gap-2">
      <legend className="mb-1.5 text-sm font-medium">{t("method")}</legend>
      {choices.map(({ method, way }, place) => (
        <label
          key={`${method.name} ${way}`}
          className="flex items-start gap-3 rounded-control border border-line px-3 py-2.5 text-sm hover:bg-sunken has-checked:border-accent has-checked:bg-accent-soft"
        >
          <input
            type="radio"
            name="way"
            className="mt-0.5 size-4 accent-(--accent)"
            checked={method === chosen.method && way === chosen.way}
            onChange={() => onChoose(place)}
          />
          <span>
            <span className="font-medium">{nameOf(method.name)}</span> <span className="text-muted">{t(way)}</span>
            {method.is_confirmed_by_hand && <span className="block text-muted">{t("byHand")}</span>}
          </span>
        </label>
      ))}
    </fieldset>
  );
}
